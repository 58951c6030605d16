"""HTTP to servers that are not trusted: addresses checked, reads capped, credentials kept at home."""
