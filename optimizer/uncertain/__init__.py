"""Planning on scenarios: the first steps are decided now, the rest once a scenario has come true."""
