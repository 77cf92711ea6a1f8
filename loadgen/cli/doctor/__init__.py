"""`loadgen doctor`: what usually goes wrong before a big run, looked at one by one."""
