"""Closed word lists the listener needs to tell what a turn is about; they must hold no story text."""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """A set of the words that stand in a text."""
    return frozenset(text.split())


STOPWORDS = word_set("""
a an the this that these those my your his her its our their mine yours hers ours theirs some any each every no
i me we us you he him she it they them myself yourself himself herself itself ourselves themselves one ones
am is are was were be been being do does did done doing have has had having will would shall should can could
may might must ought and or but nor so yet if then else than because while when where why how what which who whom
whose as at by for from in into of off on onto out over to toward towards under up down with without within about
above across after again against along among around before behind below beneath beside between beyond during
through until upon near inside outside not never ever always just only very too also still even already really
quite rather perhaps maybe almost here there now once more most much many few little less least other another
such same own both all none nothing something anything everything someone anyone everyone somebody anybody nobody
yes yeah yep no nope okay ok oh ah hm hmm well please sure like let let's lets i'm i've i'll i'd you're you've
you'll you'd he's she's it's we're we've we'll we'd they're they've they'll that's there's what's who's where's
how's don't doesn't didn't won't wouldn't can't cannot couldn't shouldn't isn't aren't wasn't weren't haven't
hasn't hadn't ain't gonna wanna got get gets getting go goes going went gone come comes coming came
say says said saying tell tells told ask asks asked think thinks thought know knows knew known mean means meant
want instead ago except though although anyway either neither since whether per via etc thing things stuff
way lot bit kind sort bringing being been wants wanted make makes made take takes took put puts see sees
saw seen look looks looked looking
""")

# Common verbs and adjectives: content words, but poor things to build a noun phrase or an answer on.
WEAK = word_set("""
give gives gave given giving hand hands-over offer offers bring brings brought show shows showed feel feels felt
keep keeps kept leave leaves left find finds found hold holds held sit sits sat stand stands stood lean leans
leaned turn turns turned walk walks walked walking run runs ran drive drives drove reach reaches reached smile
smiles smiled laugh laughs laughed nod nods nodded wait waits waited pull pulls pulled push pushes pushed open
opens opened close closes closed start starts started stop stops stopped try tries tried need needs needed love
loves loved like liked hope hopes hoped believe believes wish wishes seem seems seemed become becomes became hear
hears heard watch watches watched listen listens listened call calls called help helps helped talk talks talked
speak speaks spoke remember remembers remembered forget forgets forgot happen happens happened work works worked
live lives lived move moves moved play plays played pick picks picked drop drops dropped slide slides slip slips
step steps stepped whisper whispers whispered answer answers answered reply replies replied follow follows
good great nice fine better best bad big small old new long short right wrong true real sorry glad happy sad
afraid tired sure ready able different last next first second third careful quiet later soon today tomorrow
tonight yesterday together back away home forward slowly quickly softly gently finally suddenly actually probably
maybe enough though thanks thank hello hey hi bye goodbye
mine yours there's whether rattled lit shut fell sleep sleeps slept eat eats ate drink drinks drank burn burns
burned sing sings sang grow grows grew stay stays stayed
""")

# Weak words that are nouns after all when they stand alone behind an article.
NOUNISH = word_set(
    "laugh hand hands smile walk watch love hope help talk work play drink sleep call wish answer song"
)

DETERMINERS = {
    "the": "the", "a": "a", "an": "an", "some": "some", "this": "this", "that": "that", "these": "these",
    "those": "those", "my": "your", "your": "my", "our": "our", "his": "the", "her": "the", "their": "the",
}  # fmt: skip

# What a turn is rarely about: "this morning", "that way".
PASSING = word_set("""
morning evening afternoon night day week month year years time moment minute hour place way summer winter today
""")

# Things one walks over to without leaving the place.
FURNITURE = word_set("""
window door table chair counter bar fire fireplace hearth sofa couch bed wall mirror stove desk shelf bench stool
railing rail cupboard sink piano lamp corner edge front side end middle floor ground top bottom foot head
bookshelf cabinet drawer stairs staircase curtain curtains doorway
""")

NOT_PLACES = word_set("""
you me him her them us it sleep hell war pieces waste death work business trouble that this say see be do have get
make tell ask find look buy eat drink help talk stay wait try let keep start stop bits nothing everything start
fro rest extremes lengths
""")
