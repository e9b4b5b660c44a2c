"""Moves contacts with dlt: move.py full|changed SOURCE TARGET STATE, where SOURCE is the URL of a
database or the path of a CSV file, TARGET the URL of a database, and STATE a directory."""

import os
import sys

how, source, target, state = sys.argv[1:]
target = target.replace("postgres://", "postgresql://", 1)
source = source.replace("postgres://", "postgresql+psycopg2://", 1)
os.environ["CREDENTIALS__PASSWORD"] = "asked for, and not needed by a server that trusts"
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
os.environ["DATA_WRITER__BUFFER_MAX_ITEMS"] = "50000"
os.environ["NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION"] = "true"

import dlt  # noqa: E402

pipeline = dlt.pipeline(
    pipeline_name="bench",
    pipelines_dir=state,
    destination=dlt.destinations.postgres(target),
    dataset_name="loaded",
)
strategy = {"disposition": "merge", "strategy": "upsert"}
if source.endswith(".csv"):
    import pyarrow.csv

    @dlt.resource(name="contacts", write_disposition="append")
    def contacts():
        for batch in pyarrow.csv.open_csv(source):
            yield batch

    rows = contacts()
else:
    from dlt.sources.sql_database import sql_table

    rows = sql_table(
        credentials=source,
        table="contacts",
        backend="pyarrow",
        chunk_size=50_000,
        incremental=dlt.sources.incremental("updated_at"),
        primary_key="id",
        write_disposition="append" if how == "full" else strategy,
    )
pipeline.run(rows, loader_file_format="csv").raise_on_failed_jobs()
