//! What an engine does not do its own way, the engine in one of its fields does.

macro_rules! hand_on {
    (to $field:ident: $($method:ident)*) => {
        $(hand_on!(@$method $field);)*
    };
    (@attach $field:ident) => {
        fn attach(&self, subscriber: std::sync::Arc<dyn telsiz_hub::Subscriber>) {
            self.$field.attach(subscriber);
        }
    };
    (@publish $field:ident) => {
        fn publish<'a>(
            &'a self,
            room: &'a telsiz_hub::RoomName,
            draft: telsiz_hub::Draft,
        ) -> telsiz_hub::BoxFuture<'a, Result<telsiz_hub::Appended, telsiz_hub::PublishError>> {
            self.$field.publish(room, draft)
        }
    };
    (@read $field:ident) => {
        fn read<'a>(
            &'a self,
            room: &'a telsiz_hub::RoomName,
            after: u64,
            limit: usize,
        ) -> telsiz_hub::BoxFuture<'a, Result<telsiz_hub::Slice, telsiz_hub::EngineError>> {
            self.$field.read(room, after, limit)
        }
    };
    (@page $field:ident) => {
        fn page<'a>(
            &'a self,
            room: &'a telsiz_hub::RoomName,
            page: usize,
            per_page: usize,
        ) -> telsiz_hub::BoxFuture<'a, Result<telsiz_hub::HistoryPage, telsiz_hub::EngineError>> {
            self.$field.page(room, page, per_page)
        }
    };
    (@presence $field:ident) => {
        fn presence(&self) -> &dyn telsiz_hub::Presence {
            self.$field.presence()
        }
    };
    (@tidy $field:ident) => {
        fn tidy(&self) {
            self.$field.tidy();
        }
    };
    (@ready $field:ident) => {
        fn ready(&self) -> Result<(), telsiz_hub::EngineError> {
            self.$field.ready()
        }
    };
    (@figures $field:ident) => {
        fn figures(&self) -> telsiz_hub::EngineFigures {
            self.$field.figures()
        }
    };
    (@close $field:ident) => {
        fn close(&self) -> telsiz_hub::BoxFuture<'_, ()> {
            self.$field.close()
        }
    };
}
