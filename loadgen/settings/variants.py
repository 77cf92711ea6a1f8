"""Variants: what a run compares. Each is a client, a mode, and the settings in which it differs from the run.

variants = variant { ";" variant }
variant  = [ name ":" ] [ client "/" ] mode { setting "=" value }
value    = word | '"' any text '"'
"""

import difflib
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.sweep import find_swept, find_too_many, spread_variants
from loadgen.settings.values import HYBRID

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

VARIANTS_AT_MOST = 8
ModeName = Literal["sync", "async"]
MODES: tuple[ModeName, ...] = ("sync", "async")
CLIENTS = {
    "llamaindex": "loadgen.clients.llamaindex",
    "pymilvus": "loadgen.clients.pymilvus",
    "wire": "loadgen.clients.wire",
    "rag": "loadgen.clients.rag.layer",
}
"""The client layers, and the module of each, imported on first use; the first is the default of `--client`."""
DEFAULT_CLIENT = next(iter(CLIENTS))
RESERVED = ("any", "invalid", "no difference", "other")
"""Words with another meaning where a variant's name is expected."""
PER_VARIANT = (
    "connections", "deadline", "retries", "collection", "index_type", "index_params", "search_params", "consistency",
    "output_fields", "upsert", "batch_size", "top_k", "search_kind", "filter", "partitions", "partition_key",
    "nodes_per_insert", "queries_per_search", "stages", "max_in_flight", "max_wait", "documents_per_ingest",
    "chunk_size", "chunk_overlap", "embedding", "embedding_url", "embed_in", "llm", "llm_url", "stream",
)  # fmt: skip
"""Settings in which a variant may differ: all others belong to the server, the data, the plan or the whole process."""
OF_DOCUMENTS = ("embedding", "chunk_size", "chunk_overlap")
"""Settings that decide which chunks and vectors are made of documents."""
OF_COLLECTION = (
    "collection",
    "index_type",
    "index_params",
    "consistency",
    "partitions",
    "partition_key",
    *OF_DOCUMENTS,
)
"""Of those, the ones that define a collection: a variant that sets one gets a separate collection."""
_OF_ROWS = ("partitions", "partition_key", *OF_DOCUMENTS)
"""Of those, the ones that only describe how rows are made: an existing collection has its rows."""
LONGEST_NAME = 60
LONGEST_SUFFIX = 60
"""Maximum characters that a variant's settings add to the name of its collection."""
HEAD = re.compile(r"(?:(?P<name>[^:=\"]*):)?\s*(?:(?P<client>\w+)/)?(?P<mode>\w+)(?=\s|$)")
SETTING = re.compile(r"\s+(?P<setting>[\w-]+)=(?:\"(?P<quoted>[^\"]*)\"|(?P<word>[^\s\"]+))(?=\s|$)")
NAME = re.compile(r"[A-Za-z0-9](?:[\w .,/#+-]*[\w#+-])?")
EXAMPLE = '--variants "sync; async; async connections=4"'


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the alternatives that a run compares."""

    name: str
    mode: ModeName
    client: str = DEFAULT_CLIENT
    given: Mapping[str, str] = field(default_factory=dict)
    """Its own settings, by their names, as text."""
    usual: str = DEFAULT_CLIENT
    """The client layer of the run, which variants need not name."""

    @property
    def text(self) -> str:
        """The variant as a user would type it, without name and defaults."""
        client = "" if self.client == self.usual else f"{self.client}/"
        own = (f"{name.replace('_', '-')}={_quote(value)}" for name, value in self.given.items())
        return " ".join([f"{client}{self.mode}", *own])


def find_variants(settings: "Settings") -> tuple[Variant, ...]:
    """The variants that a run measures, in the order of a round: `--variants`, or the modes of `--mode`.

    Raises SettingsError with every fault.
    """
    if not settings.variants:
        usual = settings.client
        modes = (mode for mode in MODES if settings.mode in ("compare", mode))
        return spread_variants([Variant(mode, mode, usual, usual=usual) for mode in modes], settings)
    faults: list[Fault] = []
    variants: list[Variant] = []
    for text in settings.variants:
        try:
            variants.append(parse_variant(text, settings.client))
        except SettingsError as error:
            faults += error.faults
    if faults:
        raise SettingsError(faults)
    return spread_variants(_name_apart(variants), settings)


def find_baseline(settings: "Settings") -> str:
    """The name of the variant that the others are compared with. Raises SettingsError as `find_variants`.

    In a sweep, the first of those that were made of it.
    """
    variants = find_variants(settings)
    made = (name for name, one in find_swept(variants, settings).items() if one.family == settings.baseline)
    return next(made, settings.baseline) or variants[0].name


def parse_variant(text: str, usual: str = DEFAULT_CLIENT) -> Variant:
    """Read one variant; its name is empty if not given, and its client the usual one.

    Raises SettingsError with every fault.
    """
    head = HEAD.match(text.strip())
    if head is None:
        raise SettingsError([_fault(text, "does not begin with a mode", f"Write for example {EXAMPLE}.")])
    faults = list(_find_head_faults(text, head))
    given: dict[str, str] = {}
    at, stripped = head.end(), text.strip()
    while at < len(stripped):
        part = SETTING.match(stripped, at)
        if part is None:
            problem = f"has something other than setting=value: {stripped[at:].strip()!r}"
            faults.append(_fault(text, problem, 'Put a value with spaces in double quotes: search-params="ef=64".'))
            break
        at = part.end()
        name = part["setting"].replace("-", "_")
        value = part["word"] if part["quoted"] is None else part["quoted"]
        faults += _find_setting_faults(text, name, given)
        given[name] = value
    if faults:
        raise SettingsError(faults)
    mode: ModeName = "async" if head["mode"] == "async" else "sync"
    return Variant((head["name"] or "").strip(), mode, head["client"] or usual, given, usual)


def _find_head_faults(text: str, head: "re.Match[str]") -> Iterator[Fault]:
    name, client, mode = (head["name"] or "").strip(), head["client"], head["mode"]
    if head["name"] is not None and (not NAME.fullmatch(name) or name in RESERVED or len(name) > LONGEST_NAME):
        hint = f"Use letters, digits and spaces, at most {LONGEST_NAME} characters, and none of {', '.join(RESERVED)}."
        yield _fault(text, f"has a name that cannot be used: {name!r}", hint)
    if client is not None and client not in CLIENTS:
        yield _fault(text, f"names an unknown client: '{client}'", f"Choose {', '.join(CLIENTS)}.")
    if mode not in MODES:
        close = difflib.get_close_matches(mode.lower(), MODES, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Choose sync or async, as in {EXAMPLE}."
        yield _fault(text, f"names an unknown mode: '{mode}'", hint)


def _find_setting_faults(text: str, name: str, given: Mapping[str, str]) -> Iterator[Fault]:
    flag = name.replace("_", "-")
    if name in given:
        yield _fault(text, f"gives {flag} twice", "Give it once.")
    elif name not in PER_VARIANT:
        close = difflib.get_close_matches(name, PER_VARIANT, n=1)
        can = ", ".join(one.replace("_", "-") for one in PER_VARIANT)
        hint = f"Did you mean {close[0].replace('_', '-')}?" if close else f"A variant may differ in {can}."
        yield _fault(text, f"gives {flag}, in which a variant cannot differ", hint)


def _name_apart(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Make the names unique: the second of two equal ones becomes `async#2`."""
    seen: Counter[str] = Counter()
    result = []
    for one in variants:
        name = one.name or one.text
        seen[name] += 1
        unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
        result.append(replace(one, name=unique))
    return tuple(result)


def _quote(value: str) -> str:
    return value if value and not re.search(r"[\s;\"]", value) else f'"{value}"'


def _fault(text: str, problem: str, hint: str) -> Fault:
    return Fault("variants", f'"{text.strip()}"', problem, hint)


def find_variant_faults(settings: "Settings", known: Collection[Fault]) -> list[Fault]:
    """All errors in the variants of these settings, except those that the run has without them (`known`)."""
    try:
        variants = find_variants(settings)
    except SettingsError as error:
        return list(error.faults)
    faults = [*_find_list_faults(settings, variants)]
    own: dict[str, Settings] = {}
    for one in variants if settings.variants or settings.sweep else ():
        try:
            own[one.name] = settings_of(settings, one)
        except SettingsError as error:
            own_faults = [fault for fault in error.faults if fault not in known]
            setting, shown = ("sweep", settings.sweep) if settings.sweep else ("variants", f'"{one.text}"')
            where = f"is wrong for {one.name}" if settings.sweep else "is wrong"
            faults += [Fault(setting, shown, f"{where}: {_describe_fault(fault)}", fault.hint) for fault in own_faults]
    return [*faults, *_find_shared_collections(own)]


def _find_shared_collections(own: "Mapping[str, Settings]") -> Iterator[Fault]:
    """Variants that name the same collection but would create it differently."""
    first: dict[str, tuple[str, object]] = {}
    for name, settings in own.items():
        made = _how_made(settings)
        other, known = first.setdefault(settings.collection, (name, made))
        if made != known:
            where = f"collection {settings.collection}, as {other} does"
            problem = f"uses {where}, but with another index, consistency, embedding or search kind"
            yield _fault(name, problem, "Give it another collection, or omit the collection.")


def _describe_fault(fault: Fault) -> str:
    return f"{fault.setting.replace('_', '-')} {fault.value}: {fault.problem}"


def _find_list_faults(settings: "Settings", variants: Sequence[Variant]) -> Iterator[Fault]:
    names = [one.name for one in variants]
    known = [*dict.fromkeys(one.family for one in find_swept(variants, settings).values()), *names]
    if len(variants) > VARIANTS_AT_MOST and settings.sweep:
        yield find_too_many(settings, len(variants), VARIANTS_AT_MOST)
    elif len(variants) > VARIANTS_AT_MOST:
        yield _fault("; ".join(settings.variants), f"are {len(variants)}", f"Give at most {VARIANTS_AT_MOST}.")
    for name in (name for name in names if len(name) > LONGEST_NAME):
        hint = 'Give it a shorter name, such as "quick: async top-k=1".'
        yield _fault(name, f"has {len(name)} characters; the limit is {LONGEST_NAME}", hint)
    for name in (name for name, number in Counter(names).items() if number > 1):
        yield _fault(name, "is the name of two variants", "Give each a unique name.")
    if settings.variants and settings.mode != "compare":
        problem = "conflicts with --variants, which name their modes"
        yield Fault("mode", settings.mode, problem, "Omit one of the two.")
    if settings.baseline and settings.baseline not in known:
        close = difflib.get_close_matches(settings.baseline, known, n=1)
        hint = f'Did you mean "{close[0]}"?' if close else f"Choose one of {', '.join(names)}."
        yield Fault("baseline", settings.baseline, "is not a variant of this run", hint)


def settings_of(settings: "Settings", variant: Variant) -> "Settings":
    """The settings of one variant: those of the run, overridden by its own, with a separate collection if needed.

    Raises SettingsError with every fault of the resulting settings.
    """
    alone = {"variants": (), "baseline": "", "fault": (), "sweep": "", "at_recall": 0.0, "client": variant.client}
    values = settings.as_message() | alone
    if not variant.given:
        return settings.model_copy(update=alone)
    own: dict[str, Any] = dict(variant.given)
    is_derived = "collection" not in own
    if is_derived and (suffix := _name_collection(own, settings)):
        own["collection"] = f"{settings.collection}_{suffix}"
    if not any((values | own)[name] for name in ("partitions", "partition_key")):
        values["partition_skew"] = "none"  # it is for the other variants
    if "index_type" in own and "index_params" not in own:
        values["index_params"] = {}
    if "index_type" in own and "search_params" not in own:
        values["search_params"] = {}
    parsed = type(settings).parse(values | own, also_given=lambda name: name in own or settings.is_given(name))
    made, mine = (_how_made(one) for one in (settings, parsed))
    return parsed.model_copy(update={"collection": settings.collection}) if is_derived and made == mine else parsed


def _how_made(settings: "Settings") -> tuple[object, ...]:
    """What has to be equal for two variants to share a collection; an existing one is only used."""
    made = ("partitions", "partition_key", "has_full_text", *OF_DOCUMENTS)
    own = () if settings.existing else tuple(getattr(settings, name) for name in made)
    return (settings.index_config, settings.consistency, *own)


def _name_collection(own: Mapping[str, str], run: "Settings") -> str:
    """The suffix of the collection's name for these settings; empty if none of them defines a collection."""
    names = [name for name in OF_COLLECTION if not run.existing or name not in _OF_ROWS]
    parts = [f"{'p' if name == 'partitions' else ''}{own[name]}" for name in names if name in own]
    kind = own.get("search_kind", run.search_kind).strip().lower()
    if (kind == HYBRID) != run.has_full_text and not run.existing:
        parts.append(kind)
    suffix = re.sub(r"\W+", "_", "_".join(parts)).strip("_").lower()
    return (
        suffix if len(suffix) <= LONGEST_SUFFIX else f"{suffix[: LONGEST_SUFFIX - 9]}_{zlib.crc32(suffix.encode()):08x}"
    )


def longest_deadline(settings: "Settings") -> float:
    """The longest deadline of all variants, in seconds."""
    return max(settings_of(settings, one).deadline for one in find_variants(settings))
