"""Object stores and web servers: addresses, reading with faults, and files that are kept."""
