"""What a request passes before its route: who may ask, how much, and its body read within bounds."""
