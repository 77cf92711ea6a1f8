"""`python -m dashboards` writes every dashboard into the chart."""

from dashboards.rendering import FOLDER, render

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
