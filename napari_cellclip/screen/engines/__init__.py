"""Running an encode: reading ahead, encoding a shard, measuring intensities."""
