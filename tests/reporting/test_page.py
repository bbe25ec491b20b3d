"""The page: self-contained, escaped, and whole for any study."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from approxmm.reporting import write_report
from approxmm.reporting.display import cell_text, number_text
from approxmm.studies.study import Study

HOSTILE = "<script>alert('x')</script>"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Collect tags, attributes and text, and see that tags nest."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.words = [], [], []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(study, folder):
    return Page(write_report(study, folder).page.read_text("utf-8"))


@pytest.fixture(scope="module")
def page(report):
    return Page(report[0].page.read_text("utf-8"))


def bare(tables, **others):
    return Study(
        **{"name": "own", "title": "T", "summary": "S", "tables": tables, "captions": {}, "findings": []} | others
    )


def test_order_of_the_page(page, study):
    text = page.text
    landmarks = [
        study.title,
        study.summary,
        *study.findings,
        "Predicted and measured compounding",
        "Error of the output",
    ]
    landmarks += ["The mathematics used", "Second moments of a linear stack", "column–row sampling with replacement"]
    landmarks += ["Settings and environment", "train.learning_rate", "approxmm report --seed 0", "@software"]
    places = [text.rindex(words) if words == study.title else text.index(words) for words in landmarks[1:]]
    assert places == sorted(places)


def test_nothing_is_loaded_from_elsewhere(page, report):
    assert not {name for name, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert len(page.all("img")) == 8
    for _, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on")]
        assert attrs.get("src", "data:").startswith("data:image/svg+xml;base64,") or "src" not in attrs
    style = re.search(r"<style>(.*?)</style>", report[0].page.read_text("utf-8"), re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style


def test_links_lead_to_files_sections_or_citations(page, report):
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    for attrs in page.all("a"):
        link = attrs["href"]
        if link.startswith("#"):
            assert link[1:] in ids
        elif not link.startswith("https://arxiv.org/"):
            assert (report[1] / link).is_file()


def test_figures_have_alternatives_and_formulas_are_mathml(page):
    assert all(len(attrs["alt"]) > 40 for attrs in page.all("img"))
    assert len(page.all("math")) == 6
    assert dict(page.tags)["html"] == {"lang": "en"}


def test_summary_of_accuracy(page):
    words = page.text.split("Mean test accuracy in per cent")[-1]
    assert (
        words.index("depth 7")
        < words.index("with_replacement")
        < words.index("(1 diverged)")
        < words.index("bernoulli")
    )


def test_hostile_texts_are_escaped(study, tmp_path):
    tables = {
        name: study.tables[name].replace({"method": {"bernoulli": HOSTILE, "dropout": "_$x_1$ \\frac{ \x00\n名"}})
        for name in ("accuracy", "compounding", "methods")
    }
    tables[f"../{HOSTILE}"] = pd.DataFrame({HOSTILE: [HOSTILE, "a"]})
    hostile = replace(
        study,
        tables=tables,
        name=HOSTILE,
        title=HOSTILE,
        summary=HOSTILE,
        findings=[HOSTILE, "\ud800"],
        captions=dict.fromkeys(tables, HOSTILE),
        settings={HOSTILE: HOSTILE, "command": HOSTILE},
    )
    page = page_of(hostile, tmp_path / "r")
    assert not page.all("script")
    assert page.text.count(HOSTILE) >= 12
    assert all(file.parent == tmp_path / "r" / "data" for file in (tmp_path / "r").rglob("*.csv"))


def test_unknown_table_is_shown_in_part(tmp_path):
    table = pd.DataFrame({"name": [f"row {i}" for i in range(60)], "value": np.arange(60) / 7})
    page = page_of(bare({"mine": table}, captions={"mine": "Made up."}), tmp_path / "r")
    assert "Made up." in page.text
    assert "row 49" in page.text
    assert "row 50" not in page.text
    assert "The first 50 of 60 rows" in page.text
    assert not page.all("img")
    assert not (tmp_path / "r" / "figures").exists()


def test_study_without_anything(tmp_path):
    page = page_of(bare({}), tmp_path / "r")
    assert "No settings were recorded." in page.text
    assert "approxmm report" not in page.text
    assert "Findings" not in page.text


def test_known_name_without_its_columns_is_a_plain_table(study, tmp_path):
    tables = {
        "law": pd.DataFrame({"a": [1]}),
        "accuracy": study.tables["accuracy"].iloc[:0],
        "methods": pd.DataFrame({"b": [2]}),
    }
    page = page_of(bare(tables), tmp_path / "r")
    assert not page.all("img")
    assert "No records." in page.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(0.5, "0.5"), (-0.25, "−0.25"), (12345.6, "12346"), (2e7, "2e7"), (1.234e-9, "1.234e−9"), (np.inf, "∞")],
        *[(7, "7"), (np.int64(12), "12"), (0.0, "0"), (999.96, "1000"), (1e-4, "0.0001"), (None, ""), (np.nan, "")],
    ],
)
def test_numbers_as_texts(value, text):
    assert number_text(value) == text


def test_cells_as_texts():
    assert [cell_text(v) for v in (True, np.bool_(False), None, np.nan, [1, 0.25], {"b", "a"}, "x\ny")] == [
        *("yes", "no", "–", "–", "1, 0.25", "a, b", "x y"),
    ]
