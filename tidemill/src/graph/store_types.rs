//! The types with which a store was declared. Who asks for the store by its name must name types that fit.

use std::{
    any::{Any, type_name},
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::Arc,
};

use tidemill_state::{Codec, Coded};

use super::{StoreName, StoreShape};
use crate::error::WrongStoreTypes;

/// The codecs of a store's keys and values.
pub(crate) type SharedCodecs<K, V> = (Arc<dyn Codec<K>>, Arc<dyn Codec<V>>);

/// What a store was declared with.
#[derive(Debug, Clone)]
pub(crate) struct StoreTypes {
    shape: StoreShape,
    key: CodedType,
    value: CodedType,
}

/// A type and its codec.
#[derive(Clone)]
struct CodedType {
    name: &'static str,
    codec_name: Option<Cow<'static, str>>,
    /// The codec, an `Arc<dyn Codec<T>>`.
    codec: Arc<dyn Any + Send + Sync>,
}

impl StoreTypes {
    pub(crate) fn new<K: 'static, V: 'static>(
        shape: StoreShape,
        key: &Arc<dyn Codec<K>>,
        value: &Arc<dyn Codec<V>>,
    ) -> Self {
        Self { shape, key: CodedType::new(key), value: CodedType::new(value) }
    }

    /// The codecs with which to read a store as these types. `asked` is the kind of store that it is taken for.
    pub(crate) fn codecs<K: Coded, V: Coded>(
        &self,
        store: &str,
        asked: StoreShape,
    ) -> Result<SharedCodecs<K, V>, WrongStoreTypes> {
        let codecs = || Some((self.key.read_as()?, self.value.read_as()?));
        (self.shape == asked).then(codecs).flatten().ok_or_else(|| {
            let Self { shape, key, value } = self;
            let method = |shape: StoreShape, name: fn(&str) -> String, key: &str, value: &str| {
                format!("{}::<{}, {}>", shape.method(), name(key), name(value))
            };
            let (other_key, other_value) = (type_name::<K>(), type_name::<V>());
            let both = |name| (method(asked, name, other_key, other_value), method(*shape, name, key.name, value.name));
            let (mut asked, mut fits) = both(short);
            if asked == fits {
                // Two types of one name: their modules tell them apart.
                (asked, fits) = both(str::to_owned);
            }
            let declared = format!("{} store with keys of {key} and values of {value}", shape.in_words());
            WrongStoreTypes { store: store.to_owned(), asked, declared, method: fits }
        })
    }
}

impl CodedType {
    fn new<T: 'static>(codec: &Arc<dyn Codec<T>>) -> Self {
        Self { name: type_name::<T>(), codec_name: codec.name(), codec: Arc::new(codec.clone()) }
    }

    /// The codec that reads the bytes as another type; `None` if they are surely not such bytes.
    fn read_as<T: Coded>(&self) -> Option<Arc<dyn Codec<T>>> {
        if let Some(own) = self.codec.downcast_ref::<Arc<dyn Codec<T>>>() {
            return Some(own.clone());
        }
        let other = T::Codec::default();
        let fits = match (self.codec_name.as_deref(), other.name().as_deref()) {
            // Any bytes can be shown as they are, and JSON is text. Bytes without a meaning may have any.
            (_, Some("bytes")) | (Some("json"), Some("utf8")) | (Some("bytes"), _) => true,
            // Nothing is known of a codec without a name.
            (None, _) | (_, None) => true,
            (Some(own), Some(other)) => own == other,
        };
        fits.then(|| Arc::new(other) as Arc<dyn Codec<T>>)
    }
}

impl fmt::Display for CodedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.codec_name {
            Some(codec) => write!(f, "{} ({codec})", short(self.name)),
            None => f.write_str(&short(self.name)),
        }
    }
}

impl fmt::Debug for CodedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The types of all stores, by their names.
pub(crate) type TypesByStore = BTreeMap<StoreName, StoreTypes>;

/// The name of a type without the modules that it comes from.
fn short(name: &str) -> String {
    let is_of_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let mut short = String::new();
    for part in name.split_inclusive(|letter| !is_of_path(letter)) {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidemill_state::{BigEndian, CodecError, Json, Utf8};

    use super::*;
    use crate::windows::Windowed;

    fn fits<T: Coded, S: Coded>(codec: impl Codec<T>) -> bool {
        let types = CodedType::new::<T>(&(Arc::new(codec) as Arc<dyn Codec<T>>));
        types.read_as::<S>().is_some()
    }

    #[test]
    fn only_types_with_other_bytes_do_not_fit() {
        assert!(fits::<i64, i64>(BigEndian) && fits::<i64, Option<i64>>(BigEndian) && fits::<i64, Bytes>(BigEndian));
        assert!(!fits::<i64, u64>(BigEndian) && !fits::<i64, String>(BigEndian) && !fits::<String, i64>(Utf8));
        assert!(fits::<i64, String>(Json::<i64>::default()), "as JSON");
        assert!(!fits::<i64, u64>(Json::<i64>::default()), "u64 is not JSON by itself");
        assert!(!fits::<String, Windowed<String>>(Utf8));
    }

    #[test]
    fn the_own_type_is_read_with_the_own_codec() {
        let types = CodedType::new::<i64>(&(Arc::new(Json::<i64>::default()) as Arc<dyn Codec<i64>>));
        let codec = types.read_as::<i64>().expect("it is the same type");
        assert_eq!(codec.decode("-7".into()), Ok(-7));
    }

    mod elsewhere {
        pub(super) struct Order;
    }

    struct Order;

    #[test]
    fn two_types_of_one_name_are_told_with_their_modules() {
        let codec: Arc<dyn Codec<elsewhere::Order>> = Arc::new(NoOrders("theirs"));
        let types = StoreTypes::new(StoreShape::KeyValue, &codec, &codec);
        let wrong = types.codecs::<Order, Order>("orders", StoreShape::KeyValue).err().expect("it is another type");
        assert!(wrong.method.contains("elsewhere::Order") && !wrong.asked.contains("elsewhere"), "{wrong}");
    }

    struct NoOrders(&'static str);

    impl Default for NoOrders {
        fn default() -> Self {
            Self("ours")
        }
    }

    impl Coded for Order {
        type Codec = NoOrders;
    }

    impl<T: 'static> Codec<T> for NoOrders {
        fn encode_into(&self, _: &T, _: &mut Vec<u8>) -> Result<(), CodecError> {
            Err(CodecError::Null)
        }

        fn decode(&self, _: Bytes) -> Result<T, CodecError> {
            Err(CodecError::Null)
        }

        fn name(&self) -> Option<Cow<'static, str>> {
            Some(self.0.into())
        }
    }

    #[test]
    fn an_error_says_what_was_asked_and_what_fits() {
        let (key, value): SharedCodecs<String, Vec<i64>> =
            (Arc::new(Utf8), Arc::new(<Vec<i64> as Coded>::Codec::default()));
        let types = StoreTypes::new(StoreShape::Session, &key, &value);
        let wrong = types.codecs::<Windowed<String>, Option<u64>>("visits", StoreShape::KeyValue);
        assert_eq!(
            wrong.err().expect("it is wrong").to_string(),
            "store 'visits' is a session store with keys of String (utf8) and values of Vec<i64> (list(i64)): ask with \
             session_store::<String, Vec<i64>> instead of key_value_store::<Windowed<String>, Option<u64>>"
        );
        assert!(types.codecs::<String, Vec<i64>>("visits", StoreShape::Window).is_err(), "another kind");
        assert!(types.codecs::<String, Vec<i64>>("visits", StoreShape::Session).is_ok());
    }
}
