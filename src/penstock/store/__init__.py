"""The edge to disk: facts in SQL, bulk in Parquet segments, one commit over both."""
