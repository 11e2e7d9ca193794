"""Pictures and page of a realism study: simulated days beside a recorded one."""
