//! Any serde type as JSON.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Codec, CodecError};

/// JSON text of any serde type.
///
/// Use it for values. Use it for keys only if the type always writes the same text for equal values. Hash maps do not.
///
/// ```
/// use tidemill_state::{Codec, Json};
///
/// let json = Json::<Vec<u32>>::default();
/// assert_eq!(json.encode(&vec![1, 2])?.as_deref(), Some(&b"[1,2]"[..]));
/// assert!(json.decode("[1,x]".into()).unwrap_err().to_string().contains("column 4"));
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
pub struct Json<T> {
    value: PhantomData<fn() -> T>,
}

impl<T> Default for Json<T> {
    fn default() -> Self {
        Self { value: PhantomData }
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Json<T> {}

impl<T> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json")
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Codec<T> for Json<T> {
    fn encode_into(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        serde_json::to_writer(out, value).map_err(|error| malformed(&error))
    }

    fn decode(&self, bytes: Bytes) -> Result<T, CodecError> {
        serde_json::from_slice(&bytes).map_err(|error| malformed(&error))
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        // The name does not contain the type: types evolve, and bytes that do not fit the type fail to decode.
        Some("json".into())
    }
}

fn malformed(error: &serde_json::Error) -> CodecError {
    CodecError::Malformed { expected: "the JSON of this type", reason: error.to_string() }
}

/// Gives serde types [`Json`] as their codec.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Score {
///     points: u32,
/// }
/// tidemill_state::json_coded!(Score); // With the library: `tidemill::state::json_coded!`.
/// ```
#[macro_export]
macro_rules! json_coded {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::Coded for $type {
            type Codec = $crate::Json<$type>;
        }
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_give_the_place() {
        let codec = Json::<Vec<u32>>::default();
        let bytes = codec.encode(&vec![1, 2]).unwrap().unwrap();
        assert_eq!(bytes, "[1,2]");
        assert_eq!(codec.decode(bytes), Ok(vec![1, 2]));
        let error = codec.decode(Bytes::from("[1,x]")).unwrap_err();
        assert!(error.to_string().contains("column 4"), "{error}");
    }
}
