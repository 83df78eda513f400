"""The only network: everything that speaks to a model, behind one gateway."""
