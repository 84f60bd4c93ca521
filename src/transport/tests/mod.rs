//! Links through real sockets, with real failures.
