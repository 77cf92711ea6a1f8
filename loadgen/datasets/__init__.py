"""What to send and what is right: rows, queries and fresh rows, and their exact nearest neighbours."""

from loadgen.datasets.answer_comparison import SearchAnswer, find_difference
from loadgen.datasets.dataset import Dataset
from loadgen.datasets.filtering import Narrowing, Narrowings, OnServer, Selectivity, name_narrowing, summarise
from loadgen.datasets.formats import open_dataset, with_query_file
from loadgen.datasets.full_text import find_query_texts, reword
from loadgen.datasets.insert_stream import InsertStream
from loadgen.datasets.metadata import Metadata, Partitioning
from loadgen.datasets.model_probe import ALIKE, HasProbe, encode_probe, find_similarity
from loadgen.datasets.neighbour_cache import cached_neighbours, default_folder
from loadgen.datasets.neighbours import GroundTruth, MatchingRows, VectorSource, agrees, count_checked, find_neighbours
from loadgen.datasets.query_order import draw_order
from loadgen.datasets.recall_checks import Checks, GroundTruthKey, HasJudge, Judge
from loadgen.datasets.resolving import resolve_settings
from loadgen.datasets.rows import FINGERPRINT_KEY, INSERTED, Row
from loadgen.datasets.sampled_values import SampledValues, as_value

__all__ = [
    "ALIKE",
    "FINGERPRINT_KEY",
    "INSERTED",
    "Checks",
    "Dataset",
    "GroundTruth",
    "GroundTruthKey",
    "HasJudge",
    "HasProbe",
    "InsertStream",
    "Judge",
    "MatchingRows",
    "Metadata",
    "Narrowing",
    "Narrowings",
    "OnServer",
    "Partitioning",
    "Row",
    "SampledValues",
    "SearchAnswer",
    "Selectivity",
    "VectorSource",
    "agrees",
    "as_value",
    "cached_neighbours",
    "count_checked",
    "default_folder",
    "draw_order",
    "encode_probe",
    "find_difference",
    "find_neighbours",
    "find_query_texts",
    "find_similarity",
    "name_narrowing",
    "open_dataset",
    "resolve_settings",
    "reword",
    "summarise",
    "with_query_file",
]
