"""`python -m loadgen.results.record` regenerates schema.json after a change of the model."""

from pathlib import Path

from loadgen.results.record.json_schema import schema_text

if __name__ == "__main__":
    Path(__file__).with_name("schema.json").write_text(schema_text(), encoding="utf-8")
