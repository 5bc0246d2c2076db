"""The brokers that librdkafka brings for tests, by its C interface: they can be taken down, brought back and made to refuse.

They speak Kafka's protocol over loopback sockets, to any client, and keep in memory what they are sent.
"""

import ctypes
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.adapters.sinks.heard import Heard

PRODUCE = 0
_PRODUCER = 0
_PARTITIONS = 4


def _library() -> ctypes.CDLL:
    (path,) = (Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs").glob("librdkafka*")
    library = ctypes.CDLL(str(path))
    pointer = ctypes.c_void_p
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_new", pointer, [ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t]),
        ("rd_kafka_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, ctypes.c_int]),
        ("rd_kafka_mock_cluster_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, [pointer]),
        ("rd_kafka_mock_topic_create", ctypes.c_int, [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]),
        ("rd_kafka_mock_topic_set_error", None, [pointer, ctypes.c_char_p, ctypes.c_int]),
        ("rd_kafka_mock_broker_set_down", ctypes.c_int, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_up", ctypes.c_int, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_push_request_errors_array", None, [pointer, ctypes.c_int16, ctypes.c_size_t, pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class KafkaCluster:
    """Implements `tests.adapters.sinks.bench.Place`."""

    scheme = "kafka"

    def __init__(self) -> None:
        self._library = _library()
        text = ctypes.create_string_buffer(512)
        self._handle = self._library.rd_kafka_new(_PRODUCER, self._library.rd_kafka_conf_new(), text, len(text))
        assert self._handle, text.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, 1)
        self.servers = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self.port = int(self.servers.rpartition(":")[2])

    def destroy(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    def up(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, -1)

    def down(self) -> None:
        self._library.rd_kafka_mock_broker_set_down(self._cluster, -1)

    freeze, thaw = down, up

    def refuse(self, *codes: int, request: int = PRODUCE) -> None:
        """Answer the next requests so."""
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(codes), array)

    async def make(self, name: str, **_: Any) -> str:
        # 36: it is there already, because somebody asked for it and was told that it is not.
        assert self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), _PARTITIONS, 1) in {0, 36}
        return f"kafka://127.0.0.1:{self.port}/{name}"

    def missing(self, name: str) -> str:
        """A topic that there is not; without this word these brokers would make it."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), 3)
        return f"kafka://127.0.0.1:{self.port}/{name}"

    def found(self, name: str) -> None:
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), 0)

    async def heard(self, name: str) -> list[Heard]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "g",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.assign([TopicPartition(name, partition, 0) for partition in range(_PARTITIONS)])
        found, ends = [], 0
        while ends < _PARTITIONS:
            message = consumer.poll(5)
            assert message is not None
            if message.error() is not None:
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                ends += 1
                continue
            headers = {key: value.decode() for key, value in message.headers()}
            found.append((message.timestamp()[1], message.partition(), message.offset(), headers, message))
        consumer.close()
        return [
            Heard(id=headers["ce_id"], key=message.key().decode(), body=message.value(), headers=headers)
            for *_, headers, message in found
        ]

    def topics(self) -> set[str]:
        return set(AdminClient({"bootstrap.servers": self.servers}).list_topics(timeout=5).topics)
