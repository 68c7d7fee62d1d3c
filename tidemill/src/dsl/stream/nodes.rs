//! The nodes of steps without state. The steps whose functions may fail share them with those that cannot.

use std::{rc::Rc, sync::Arc};

use super::KStream;
use crate::{
    graph::MAIN_PORT,
    operators::{BuildNode, Failure, Filter, FlatMap, Map, Peek},
    record::{Data, Record},
};

impl<K: Data, V: Data> KStream<K, V> {
    pub(super) fn map_records<K2: Data, V2: Data, E: Into<Box<Failure>> + 'static>(
        &self,
        label: &'static str,
        rekeyed: bool,
        map: impl Fn(Record<K, V>) -> Result<Record<K2, V2>, E> + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        let map = Arc::new(map);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Map { map: map.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add(label, build), rekeyed)
    }

    pub(super) fn filter_records<E: Into<Box<Failure>> + 'static>(
        &self,
        label: &'static str,
        predicate: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        let predicate = Arc::new(predicate);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Filter { predicate: predicate.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add(label, build), false)
    }

    pub(super) fn flat_map_records<K2: Data, V2: Data, I, E: Into<Box<Failure>> + 'static>(
        &self,
        label: &'static str,
        rekeyed: bool,
        map: impl Fn(K, V) -> Result<I, E> + Send + Sync + 'static,
    ) -> KStream<K2, V2>
    where
        I: IntoIterator<Item = (K2, V2)>,
    {
        let map = Arc::new(map);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = FlatMap { map: map.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add(label, build), rekeyed)
    }

    pub(super) fn peek_records<E: Into<Box<Failure>> + 'static>(
        &self,
        label: &'static str,
        look: impl Fn(&K, &V) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        let look = Arc::new(look);
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Peek { look: look.clone(), next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        self.then(self.add(label, build), false)
    }
}
