//! Typed handles for processors.

mod iterator;
mod key_value;
mod session;
mod versioned;
mod window;

use bytes::Bytes;

pub use iterator::KeyValueIterator;
pub use key_value::KeyValueStore;
pub use session::{Session, SessionStore};
pub use versioned::VersionedStore;
pub use window::WindowStore;

use crate::{Codec, CodecError, StoreError};

/// The bytes of a key. A null key is an error.
fn encode_key<K: 'static>(store: &str, codec: &dyn Codec<K>, key: &K) -> Result<Bytes, StoreError> {
    let bytes = codec.encode(key).and_then(|bytes| bytes.ok_or(CodecError::Null));
    bytes.map_err(|source| codec_error(store, source))
}

fn codec_error(store: &str, source: CodecError) -> StoreError {
    StoreError::Codec { store: store.to_owned(), source }
}
