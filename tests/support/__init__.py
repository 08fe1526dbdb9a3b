"""What the tests share: servers to start and kill, a raw RESP client, scripts of commands played to two servers."""
