"""Settings of the collection, of the data in it, and of the operations on it."""

from loadgen.settings.server_settings import ServerSettings
from loadgen.settings.setting import ON_PAGE, setting
from loadgen.settings.values import Consistency, Index, Metric, Parameters, QuerySkew, SearchKind, Words

SYNTHETIC, EXISTING = "synthetic", "existing"
DOCUMENTS = "documents"
"""The name of a dataset of chunks of documents."""


class CollectionSettings(ServerSettings):
    """The collection."""

    collection: str = setting(
        "loadgen",
        "collection to use",
        declares=ON_PAGE,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$",
        hint="Use letters, digits and underscores, not a digit first",
    )
    dim: int = setting(768, "dimension of the vectors", ge=2, le=32_768)
    metric: Metric = setting("COSINE", "similarity metric")
    index_type: Index = setting("HNSW", "index type")
    index_params: Parameters = setting(
        {}, "index parameters, M=16,efConstruction=200 or JSON; default: chosen for the index type"
    )
    search_params: Parameters = setting({}, "search parameters, ef=64 or JSON; default: chosen for the index type")
    consistency: Consistency = setting("Bounded", "consistency level of the collection")
    output_fields: Words = setting(
        (), "fields that a search returns, comma-separated; default: all, including the vector"
    )
    upsert: bool = setting(False, "insert by upsert, as MilvusVectorStore(upsert_mode=True) does")
    fresh: bool = setting(False, "drop this tool's collection and reload it")
    overwrite: bool = setting(False, "allow dropping a collection that this tool did not create")
    existing: bool = setting(False, "measure --collection as it is, read-only: nothing is created, loaded or changed")
    allow_writes: bool = setting(
        False, "let users insert into an existing collection; the rows of the run are deleted at its end"
    )
    id_field: str = setting("", "primary key of an existing collection; default: from its schema", declares=ON_PAGE)
    embedding_field: str = setting(
        "", "vector field of an existing collection; default: its only one", declares=ON_PAGE
    )
    text_field: str = setting(
        "", "text field of an existing collection; default: text, or its only text field", declares=ON_PAGE
    )
    sparse_field: str = setting(
        "", "BM25 field of an existing collection, for hybrid searches; default: its only one", declares=ON_PAGE
    )
    doc_id_field: str = setting(
        "", "field with the document of a row in an existing collection; default: doc_id, if present", declares=ON_PAGE
    )


class DataSettings(CollectionSettings):
    """The data."""

    dataset: str = setting(
        SYNTHETIC,
        "synthetic, existing (as --existing), or the path of vectors, which decide --dim, --metric and --rows",
        min_length=1,
        hint="Give synthetic, or a path",
    )
    rows: int = setting(10_000, "rows in the collection before the load starts", ge=1, le=10**10)
    seed: int = setting(1, "seed of the data and the queries", ge=0, le=2**63 - 1)
    clusters: int = setting(64, "clusters from which the vectors are drawn", ge=1, le=1_000_000)
    spread: float = setting(0.3, "size of a cluster relative to the length of its centre", gt=0, le=10)
    queries: int = setting(1_000, "distinct queries, generated before the run", ge=1, le=1_000_000)
    query_file: str = setting("", "file whose vectors are the queries; default: those of the dataset")
    query_skew: QuerySkew = setting(
        "none",
        "how often queries repeat: none (all in turn), or zipf:EXPONENT, such as zipf:1.1, for hot queries",
        declares=ON_PAGE,
        hint="Give none, or zipf:EXPONENT with an exponent above 0 and up to 10",
    )
    text_bytes: int = setting(
        0, "size of each row's text, 1 to 65535; 0: short ones, such as n7_text", unit="bytes", ge=0, le=65_535
    )
    metadata: str = setting(
        "",
        "metadata of each row, such as 'tenant:int:100; lang:enum:de,en; year:int:2000-2026; price:float:0-99.9'",
        declares=ON_PAGE,
    )
    partitions: str = setting(
        "", "partitions of the collection, each searched and filled by itself: their number, or names", declares=ON_PAGE
    )
    partition_key: str = setting(
        "", "metadata field by whose values Milvus partitions the collection", declares=ON_PAGE
    )
    partition_skew: QuerySkew = setting(
        "none",
        "how unequal partitions, or the values of the partition key, are: none, or zipf:EXPONENT, such as zipf:1.1",
        declares=ON_PAGE,
        hint="Give none, or zipf:EXPONENT with an exponent above 0 and up to 10",
    )
    batch_size: int = setting(100, "nodes per RPC, when inserting and loading", ge=1, le=100_000)
    load_in_flight: int = setting(4, "concurrent batches while loading", ge=1, le=256)
    no_wait_compaction: bool = setting(False, "start without compacting a freshly loaded collection")


class OperationSettings(DataSettings):
    """The operations."""

    top_k: int = setting(
        10, "neighbours requested by a search", ge=1, le=16_384, hint="Choose 1 to 16384, Milvus's limit"
    )
    filter: str = setting(
        "",
        "filter of each search, such as 'tenant == {tenant} and year >= 2020'; {name}: a value drawn for each query",
        declares=ON_PAGE,
    )
    search_kind: SearchKind = setting(
        "dense",
        "dense: nearest vectors; hybrid: vectors and BM25, reciprocal rank fusion; mmr: maximal marginal relevance",
    )
    queries_per_search: int = setting(
        1, "query vectors per search, for clients that can send several (pymilvus, wire)", ge=1, le=16_384
    )
    nodes_per_insert: int = setting(1, "nodes per insert operation", ge=1, le=100_000)
    recall_every: int = setting(
        20, "check every n-th search against the exact neighbours, outside the measured time; 0: none", ge=0, le=10**9
    )
    stages: bool = setting(
        False,
        "measure the stages of each operation (prepare, rpc, decode), for the clients llamaindex, pymilvus, wire",
        hint="Choose on or off",
    )
    cache: str = setting("", "folder that caches exact neighbours; default: ~/.cache/milvus-loadgen")
