"""What the studies of CellProfiler profiles share: compounds, small heads, baselines."""
