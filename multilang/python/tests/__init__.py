"""Tests of the galewire package; they need nothing but the standard library."""
