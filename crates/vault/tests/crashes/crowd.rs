//! Many processes that want the same token, and one that is stopped for too long.
