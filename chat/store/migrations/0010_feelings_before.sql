-- What a feeling was before each change, so that taking changes back can say truly what would be left.
alter table edge_changes add column affinity_prior integer not null default 50;
alter table edge_changes add column trust_prior integer not null default 50;
