"""Sends a run's curves to trackers on the network. No run waits for one, or ends because of one."""
