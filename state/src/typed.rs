//! Typed handles, which processors hold.

mod key_value;
mod windowed;

use bytes::Bytes;

pub use key_value::KeyValueStore;
pub use windowed::WindowedStore;

use crate::{Codec, CodecError, StoreError};

/// A key's bytes. A null is no key.
fn encode_key<K: 'static>(store: &str, codec: &dyn Codec<K>, key: &K) -> Result<Bytes, StoreError> {
    let bytes = codec.encode(key).and_then(|bytes| bytes.ok_or(CodecError::Null));
    bytes.map_err(|source| codec_error(store, source))
}

fn codec_error(store: &str, source: CodecError) -> StoreError {
    StoreError::Codec { store: store.to_owned(), source }
}
