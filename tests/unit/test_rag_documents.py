"""Documents of a corpus: read from files, built in, and split."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgen.clients.rag import documents
from loadgen.clients.rag.documents import (
    BrokenFile,
    CorpusError,
    built_in_corpus,
    read_corpus,
    split_corpus,
    token_counter,
)
from loadgen.clients.rag.topics import TOPICS
from tests.unit.rag_support import make_pdf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of each kind, in subfolders, and some that are none of a corpus."""
    root = tmp_path / ".hidden parent" / "corpus"  # only what is below the root counts as hidden
    (root / "b" / "deep").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "b" / "guide.md").write_text("# Guide\n\nSee [the index](x.html).\n")
    (root / "a.txt").write_text("Grüße\nfrom the first file\n")
    (root / "b" / "deep" / "Paper.PDF").write_bytes(make_pdf("first page", "second page"))
    for name in (".git/config.txt", ".secret.txt", "table.csv", "b/picture.png"):
        (root / name).write_text("not for reading")
    return root


def test_a_folder_is_read_with_its_subfolders_and_ids_are_relative_paths(folder: Path) -> None:
    corpus = read_corpus(folder)
    assert [(one.node_id, one.text, one.metadata) for one in corpus.documents] == [
        ("a.txt", "Grüße\nfrom the first file\n", {}),
        ("b/deep/Paper.PDF", "first page\nsecond page", {}),
        ("b/guide.md", "# Guide\n\nSee [the index](x.html).\n", {}),
    ]
    assert (corpus.broken, corpus.root) == ((), folder)


@pytest.mark.parametrize(("name", "text"), [("a.txt", "Grüße\nfrom the first file\n"), ("b/guide.md", None)])
def test_one_file_is_a_corpus_whose_id_is_its_name(folder: Path, name: str, text: str | None) -> None:
    corpus = read_corpus(folder / name)
    (document,) = corpus.documents
    assert (document.node_id, corpus.root) == (Path(name).name, (folder / name).parent)
    assert document.text == text or text is None


def test_files_that_cannot_be_read_are_named_and_the_others_continue(folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(make_pdf("lost")[:40])
    (folder / "no.pdf").write_text("this is no PDF")
    (folder / "scan.pdf").write_bytes(make_pdf(""))
    (folder / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    (folder / "empty.md").write_text(" \n")
    (folder / "gone.txt").symlink_to(folder / "nowhere")
    corpus = read_corpus(folder)
    assert [one.node_id for one in corpus.documents] == ["a.txt", "b/deep/Paper.PDF", "b/guide.md"]
    reasons = {one.path: one.reason for one in corpus.broken}
    assert list(reasons) == ["broken.pdf", "empty.md", "gone.txt", "latin.txt", "no.pdf", "scan.pdf"]
    assert reasons["empty.md"] == reasons["scan.pdf"] == "contains no text"
    assert reasons["latin.txt"] == "is not UTF-8"
    assert "gone.txt" in reasons["gone.txt"]
    assert re.search("ended|EOF|startxref|trailer", reasons["broken.pdf"], re.IGNORECASE)
    assert "\n" not in "".join(reasons.values())


def test_a_name_that_is_not_utf_8_is_named_readably(folder: Path) -> None:
    try:
        Path(os.fsdecode(bytes(folder) + b"/\xff.txt")).write_text("text")
    except OSError:  # a file system that takes UTF-8 alone has no such name
        return
    assert read_corpus(folder).broken == (BrokenFile("\\udcff.txt", "is not UTF-8"),)


def make_fifo(root: Path) -> Path:
    os.mkfifo(root / "pipe.txt")
    return root / "pipe.txt"


def make_broken(root: Path) -> Path:
    (root / "new").mkdir()
    (root / "new" / "only.pdf").write_text("no PDF")
    return root / "new"


def make_empty(root: Path) -> Path:
    (root / "new" / "sub").mkdir(parents=True)
    (root / "new" / "sub" / "table.csv").write_text("1")
    return root / "new"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (lambda root: root / "nowhere", r"/nowhere cannot be read \(No such file or directory\)\. Name a readable"),
        (lambda root: root / "a.txt" / "b", r"/b cannot be read \(Not a directory\)\. Name a readable file or folder"),
        (lambda root: root / "table.csv", r"csv is of an unknown kind\. Name a \.txt, \.md or \.pdf file"),
        (make_fifo, r"pipe\.txt is neither a file nor a folder\. Name a file or a folder"),
        (make_empty, r"/new contains no \.txt, \.md or \.pdf files\. Add some"),
        (make_broken, r"/new has no readable document: only\.pdf \(.+\)\. Add files with text"),
    ],
)
def test_what_cannot_be_a_corpus_is_refused(folder: Path, place: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read_corpus(place(folder))


def test_a_folder_that_cannot_be_listed_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"corpus cannot be read \(Permission denied\)"):
        read_corpus(folder)


def test_pdfs_without_their_reader_are_refused_with_the_command_that_installs_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "list_missing", lambda *_: ["pypdf"])
    with pytest.raises(CorpusError, match=r"without pypdf\. Install it: pip install 'milvus-loadgen\[rag\]'"):
        read_corpus(folder)
    (folder / "b" / "deep" / "Paper.PDF").unlink()
    assert len(read_corpus(folder).documents) == 2


def test_the_fingerprint_is_that_of_ids_and_texts(folder: Path, tmp_path: Path) -> None:
    before = read_corpus(folder).fingerprint
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert read_corpus(copy).fingerprint == before
    (copy / "a.txt").rename(copy / "aa.txt")
    renamed = read_corpus(copy).fingerprint
    (copy / "aa.txt").write_text("other")
    assert len({before, renamed, read_corpus(copy).fingerprint}) == 3
    assert re.fullmatch("[0-9a-f]{16}", before)


def test_chunks_have_ids_their_document_and_all_of_its_words(folder: Path) -> None:
    text = " ".join(f"This is sentence number {number} of the file." for number in range(60))
    (folder / "a.txt").write_text(text)
    corpus = read_corpus(folder)
    nodes = split_corpus(corpus, 64, 0)
    own = [node for node in nodes if node.ref_doc_id == "a.txt"]
    assert [node.node_id for node in own] == [f"a.txt#{number}" for number in range(len(own))]
    assert len(own) > 5
    assert " ".join(node.text for node in own).split() == text.split()
    count = token_counter()
    assert max(count(node.text) for node in own) <= 64
    again = split_corpus(read_corpus(folder), 64, 0)
    assert [(node.node_id, node.hash) for node in again] == [(node.node_id, node.hash) for node in nodes]
    assert {node.ref_doc_id for node in nodes} == {"a.txt", "b/deep/Paper.PDF", "b/guide.md"}


def test_chunks_overlap_by_whole_sentences(folder: Path) -> None:
    (folder / "a.txt").write_text(" ".join(f"This is sentence number {number}." for number in range(60)))
    first, second, *_ = split_corpus(read_corpus(folder / "a.txt"), 64, 16)
    shared = set(first.text.split(". ")) & set(second.text.split(". "))
    assert shared, (first.text, second.text)


@pytest.mark.parametrize("overlap", [64, 65, -1])
def test_an_overlap_that_leaves_nothing_of_a_chunk_is_refused(overlap: int) -> None:
    with pytest.raises(CorpusError, match=f"a chunk of 64 tokens cannot overlap by {overlap}. Choose an overlap"):
        split_corpus(built_in_corpus(1, 1), 64, overlap)


def test_the_built_in_corpus_depends_on_its_seed_alone() -> None:
    corpus, again, other = built_in_corpus(40, 1), built_in_corpus(40, 1), built_in_corpus(40, 2)
    assert [(one.node_id, one.text) for one in corpus.documents] == [(one.node_id, one.text) for one in again.documents]
    assert corpus.fingerprint == again.fingerprint != other.fingerprint
    longer = {one.node_id: one.text for one in built_in_corpus(80, 1).documents}
    assert {one.node_id: longer[one.node_id] for one in corpus.documents} == {
        one.node_id: one.text for one in corpus.documents
    }


def test_built_in_documents_differ_and_have_their_sizes() -> None:
    corpus = built_in_corpus(240, 3)
    ids = [one.node_id for one in corpus.documents]
    assert (len(set(ids)), ids) == (240, sorted(ids))
    assert len({one.text for one in corpus.documents}) == 240
    sizes = [len(one.text.split()) for one in corpus.documents]
    assert (min(sizes) >= 50, max(sizes) <= 600) == (True, True)
    assert (corpus.broken, corpus.root) == ((), None)
    assert not [one.text for one in corpus.documents if re.search(r"\b[Aa] [aeiou]|\{", one.text)]


def test_topics_share_no_word_and_a_document_keeps_to_its_own() -> None:
    words = [{*topic.nouns, *topic.verbs, *topic.adjectives} for topic in TOPICS]
    assert len(set.union(*words)) == sum(map(len, words)) == len(TOPICS) * 20
    for document in built_in_corpus(48, 1).documents:
        used = set(re.findall("[a-z]+", document.text))
        own = next(number for number, topic in enumerate(TOPICS) if document.node_id.startswith(f"{topic.name}/"))
        assert [number for number, vocabulary in enumerate(words) if used & vocabulary] == [own]
