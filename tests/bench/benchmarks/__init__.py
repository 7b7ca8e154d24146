"""The benchmarks, one per file; each returns a `BenchmarkResult`."""
