"""What an answer must be: grammars compiled by llguidance, and the tokens that they let through.

Only a runner imports llguidance.
"""
