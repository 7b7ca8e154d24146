"""The measures, a file each; every one returns a `Part` of the report."""
