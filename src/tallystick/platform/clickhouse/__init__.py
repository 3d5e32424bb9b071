"""ClickHouse behind one small interface: in this process (chDB), or a server over HTTP."""
