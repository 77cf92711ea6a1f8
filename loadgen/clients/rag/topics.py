"""The vocabulary of the built-in corpus: topics that share no noun, verb or adjective."""

from typing import NamedTuple


class Topic(NamedTuple):
    """Words of one subject. Nouns are singular, verbs in the third person with an object."""

    name: str
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]


def _topic(name: str, nouns: str, verbs: str, adjectives: str) -> Topic:
    return Topic(name, tuple(nouns.split()), tuple(verbs.split()), tuple(adjectives.split()))


TOPICS = (
    _topic(
        "baking",
        "dough oven flour crust yeast loaf sourdough kneader",
        "ferments proofs scores glazes slices toasts",
        "crumbly golden leavened salted sticky warm",
    ),
    _topic(
        "astronomy",
        "telescope nebula eclipse comet orbit spectrograph quasar observatory",
        "observes magnifies aligns occults collimates photographs",
        "celestial distant faint luminous stellar polar",
    ),
    _topic(
        "railways",
        "locomotive carriage signal platform timetable gradient sleeper viaduct",
        "couples shunts dispatches electrifies brakes delays",
        "articulated diesel narrow punctual regional suburban",
    ),
    _topic(
        "beekeeping",
        "hive queen nectar honeycomb swarm pollen apiary smoker",
        "pollinates forages requeens overwinters harvests inspects",
        "buzzing docile feral floral sweet waxy",
    ),
    _topic(
        "glaciology",
        "glacier moraine crevasse icefall firn meltwater serac cirque",
        "erodes carves calves freezes thaws buries",
        "alpine brittle frozen polythermal steep striated",
    ),
    _topic(
        "printing",
        "typeface letterpress margin proof ink composer folio binding",
        "typesets embosses engraves collates prints trims",
        "bold italic justified legible monochrome ornate",
    ),
    _topic(
        "medicine",
        "vaccine antibody clinic dosage symptom surgeon diagnosis ward",
        "prescribes immunises vaccinates sutures examines relieves",
        "acute chronic contagious feverish sterile therapeutic",
    ),
    _topic(
        "sailing",
        "keel mast rudder halyard spinnaker anchor harbour regatta",
        "tacks reefs moors hoists navigates capsizes",
        "becalmed leeward nautical seaworthy tidal windward",
    ),
    _topic(
        "geology",
        "basalt sediment fault magma quartz stratum outcrop tremor",
        "erupts folds metamorphoses deposits fractures uplifts",
        "crystalline igneous molten porous seismic volcanic",
    ),
    _topic(
        "music",
        "violin sonata conductor cadence bassoon overture tempo quartet",
        "orchestrates tunes rehearses improvises transposes performs",
        "chromatic discordant harmonic lyrical melodic syncopated",
    ),
    _topic(
        "weaving",
        "loom warp shuttle bobbin tapestry yarn spindle linen",
        "spins threads dyes embroiders cards unravels",
        "coarse knitted patterned silken tufted woollen",
    ),
    _topic(
        "databases",
        "index transaction replica segment query schema shard checkpoint",
        "partitions compacts commits replicates retrieves truncates",
        "consistent distributed durable immutable relational sparse",
    ),
)
