"""Texts of rows and queries: seeded, different from each other, and with words in common."""

from collections import Counter

from loadgen.datasets import Row, find_query_texts, open_dataset, reword
from loadgen.datasets.full_text import WORDS, WORDS_IN_QUERY, WORDS_IN_TEXT, draw_words, make_vocabulary, seed_random
from loadgen.datasets.synthetic import SyntheticDataset
from loadgen.settings.model import Settings

SMALL = {"rows": 400, "dim": 4, "queries": 60, "clusters": 4}
HYBRID = Settings.parse(SMALL | {"search_kind": "hybrid"})


def test_the_words_are_different_and_depend_on_the_seed_alone() -> None:
    words = make_vocabulary(1)
    assert len(set(words)) == len(words) == WORDS
    assert words == make_vocabulary(1)
    assert words != make_vocabulary(2)
    assert all(word.isalpha() and word.islower() for word in words)


def test_only_hybrid_searches_change_the_texts_and_nothing_else_of_a_row() -> None:
    plain, worded = open_dataset(Settings.parse(SMALL)), open_dataset(HYBRID)
    for old, new in zip(plain.rows(0, 50), worded.rows(0, 50), strict=True):
        assert old.text == f"n{old.metadata['row']}_text"
        assert len(new.text.split()) == WORDS_IN_TEXT
        assert (new.row_id, new.vector, new.source, new.metadata) == (old.row_id, old.vector, old.source, old.metadata)
    assert worded.fingerprint == plain.fingerprint
    assert (worded.queries() == plain.queries()).all()


def test_texts_are_the_same_in_every_process_and_different_for_every_row() -> None:
    one, other = open_dataset(HYBRID), open_dataset(HYBRID)
    texts = [row.text for row in one.rows(0, 400)]
    assert texts == [row.text for row in other.rows(0, 400)]
    assert len(set(texts)) == 400
    assert next(one.fresh_rows(0)).text not in texts


def test_few_words_are_frequent_and_most_are_rare() -> None:
    rows = open_dataset(HYBRID).rows(0, 400)
    holders = Counter(word for row in rows for word in set(row.text.split()))
    assert holders.most_common(1)[0][1] > 300
    assert sum(number == 1 for number in holders.values()) > 500


def test_a_query_has_some_words_of_one_row() -> None:
    dataset = open_dataset(HYBRID)
    texts = find_query_texts(dataset, 60)
    words = [set(row.text.split()) for row in dataset.rows(0, 400)]
    assert len(texts) == 60
    assert len(set(texts)) == 60
    for text in texts:
        asked = set(text.split())
        assert len(asked) == WORDS_IN_QUERY
        assert any(asked <= row for row in words)


def test_datasets_without_full_text_have_queries_without_texts() -> None:
    assert find_query_texts(open_dataset(Settings.parse(SMALL)), 3) == ["", "", ""]


def test_a_row_of_a_file_keeps_its_text_and_queries_are_made_of_it() -> None:
    class OfFile(SyntheticDataset):
        name = "papers.jsonl"

        def rows(self, start: int, stop: int) -> list[Row]:
            return [Row("1", "alpha beta gamma delta epsilon", [0.0], "d", {"row": start})] * (stop - start)

    dataset = reword(OfFile(HYBRID), HYBRID)
    assert dataset.rows(0, 1)[0].text == "alpha beta gamma delta epsilon"
    for text in find_query_texts(dataset, 5):
        assert len(set(text.split()) & {"alpha", "beta", "gamma", "delta", "epsilon"}) == WORDS_IN_QUERY


def test_a_dataset_is_given_texts_once_and_loses_them_where_they_are_not_needed() -> None:
    worded = open_dataset(HYBRID)
    again = reword(worded, HYBRID)
    assert [row.text for row in again.rows(0, 3)] == [row.text for row in worded.rows(0, 3)]
    assert reword(worded, Settings.parse(SMALL)).rows(0, 1)[0].text == "n0_text"


def test_a_text_with_few_words_gives_all_of_them() -> None:
    assert sorted(draw_words("one two one", seed_random(1, "query", 0)).split()) == ["one", "two"]
    assert draw_words("", seed_random(1, "query", 0)) == ""
