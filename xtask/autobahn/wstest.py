# `wstest` binds its fuzzing server to every interface; this launcher keeps it on loopback.
from autobahntestsuite import fuzzing, wstest
fuzzing.listenWS = lambda factory, tls=None, listen=fuzzing.listenWS: listen(factory, tls, interface="127.0.0.1")
wstest.run()
