"""The gRPC side of the hub, for the durable clients of the app. Work items never go this way.

Calls that wait for an instance hold no thread. Non-blocking handlers of gRPC serve them as streams of one
answer, which looks the same on the wire. So any number of clients may wait while others are served.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import durabletask.internal.orchestrator_service_pb2 as pb
import grpc
from google.protobuf import empty_pb2, message_factory, wrappers_pb2

from infra.local.functions_host.durable.management import DurableBackend, EntityFilter, InstanceFilter
from infra.local.functions_host.durable.records import (
    Instance,
    entity_metadata,
    moment_of,
    state_of,
    text_value,
)
from infra.local.functions_host.durable.refusals import HubError
from infra.local.functions_host.durable.tracked import Watcher

_SERVICE = pb.DESCRIPTOR.services_by_name["TaskHubSidecarService"]
_THREADS = 16
_EVENTS_IN_A_CHUNK = 100
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class ClientService:
    """Serves one hub on a port of 127.0.0.1.

    What is started without a version gets `default_version`, that of the hosts this port is for.
    """

    def __init__(self, hub: DurableBackend, default_version: str | None = None) -> None:
        self._hub = hub
        self._default_version = default_version
        self._server: grpc.Server | None = None

    def start(self, port: int = 0) -> int:
        """Begins to serve, on `port` if it is free, else on any; answers the port."""
        workers = ThreadPoolExecutor(_THREADS, thread_name_prefix="durable-grpc")
        server = grpc.server(workers, options=[*_UNLIMITED, ("grpc.so_reuseport", 0)])
        handler = grpc.method_handlers_generic_handler(_SERVICE.full_name, self._handlers())
        server.add_generic_rpc_handlers((handler,))
        try:
            bound: int = server.add_insecure_port(f"127.0.0.1:{port}")
        except RuntimeError:
            # Another process has taken it.
            bound = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self._server = server
        return bound

    def stop(self, grace: float) -> None:
        """Ends calls that run after `grace` seconds."""
        if self._server is not None:
            self._server.stop(grace).wait()
            self._server = None

    def _handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        calls: dict[str, Callable[[Any], Any]] = {
            "Hello": lambda _: empty_pb2.Empty(),
            "StartInstance": self._start_instance,
            "GetInstance": self._get_instance,
            "RaiseEvent": self._raise_event,
            "TerminateInstance": self._terminate,
            "SuspendInstance": self._suspend,
            "ResumeInstance": self._resume,
            "RewindInstance": self._rewind,
            "RestartInstance": self._restart,
            "PurgeInstances": self._purge,
            "QueryInstances": self._query_instances,
            "ListInstanceIds": self._list_ids,
            "SignalEntity": self._signal_entity,
            "GetEntity": self._get_entity,
            "QueryEntities": self._query_entities,
            "CleanEntityStorage": self._clean_entities,
            "CreateTaskHub": lambda _: pb.CreateTaskHubResponse(),
            "DeleteTaskHub": lambda _: pb.DeleteTaskHubResponse(),
        }
        handlers = {
            name: _handler(grpc.unary_unary_rpc_method_handler, name, self._answered(call))
            for name, call in calls.items()
        }
        waits = {
            "WaitForInstanceStart": lambda instance: instance.status != pb.ORCHESTRATION_STATUS_PENDING,
            "WaitForInstanceCompletion": lambda instance: instance.finished,
        }
        for name, wanted in waits.items():
            handlers[name] = _handler(grpc.unary_stream_rpc_method_handler, name, self._waiting(wanted))
        name = "StreamInstanceHistory"
        handlers[name] = _handler(grpc.unary_stream_rpc_method_handler, name, self._stream_history)
        return handlers

    def _answered(self, call: Callable[[Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
        """The call with its changes on disk before the answer, and refusals as gRPC statuses."""

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                with self._hub.change() as change:
                    response = call(request)
                change.wait()
            except HubError as refusal:
                context.abort(refusal.code, str(refusal))
            except ValueError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            return response

        return answer

    def _waiting(self, wanted: Callable[[Instance], bool]) -> Callable[..., None]:
        def wait(
            request: pb.GetInstanceRequest,
            context: grpc.ServicerContext,
            send: Callable[[pb.GetInstanceResponse | None], None],
        ) -> None:
            def tell(instance: Instance | None) -> None:
                send(_found(instance, payloads=request.getInputsAndOutputs))
                send(None)

            stop_watching = self._hub.watch(Watcher(request.instanceId, wanted, tell))
            if not context.add_callback(stop_watching):
                # The client has already gone.
                stop_watching()

        wait.experimental_non_blocking = True  # type: ignore[attr-defined]
        return wait

    def _start_instance(self, request: pb.CreateInstanceRequest) -> pb.CreateInstanceResponse:
        policy = request.orchestrationIdReusePolicy.replaceableStatus
        scheduled = request.HasField("scheduledStartTimestamp")
        instance_id = self._hub.create(
            request.name,
            request.instanceId,
            _text(request, "input"),
            version=_text(request, "version") or self._default_version,
            tags=dict(request.tags) or None,
            start_at=moment_of(request.scheduledStartTimestamp) if scheduled else None,
            trace=request.parentTraceContext if request.HasField("parentTraceContext") else None,
            replaceable=frozenset(policy) if policy else None,
        )
        return pb.CreateInstanceResponse(instanceId=instance_id)

    def _get_instance(self, request: pb.GetInstanceRequest) -> pb.GetInstanceResponse:
        return _found(self._hub.find(request.instanceId), payloads=request.getInputsAndOutputs)

    def _raise_event(self, request: pb.RaiseEventRequest) -> pb.RaiseEventResponse:
        self._hub.raise_event(request.instanceId, request.name, _text(request, "input"))
        return pb.RaiseEventResponse()

    def _terminate(self, request: pb.TerminateRequest) -> pb.TerminateResponse:
        self._hub.terminate(request.instanceId, _text(request, "output"), recursive=request.recursive)
        return pb.TerminateResponse()

    def _suspend(self, request: pb.SuspendRequest) -> pb.SuspendResponse:
        self._hub.suspend(request.instanceId, _text(request, "reason"))
        return pb.SuspendResponse()

    def _resume(self, request: pb.ResumeRequest) -> pb.ResumeResponse:
        self._hub.resume(request.instanceId, _text(request, "reason"))
        return pb.ResumeResponse()

    def _rewind(self, request: pb.RewindInstanceRequest) -> pb.RewindInstanceResponse:
        self._hub.rewind(request.instanceId, _text(request, "reason"))
        return pb.RewindInstanceResponse()

    def _restart(self, request: pb.RestartInstanceRequest) -> pb.RestartInstanceResponse:
        instance_id = self._hub.restart(request.instanceId, new_id=request.restartWithNewInstanceId)
        return pb.RestartInstanceResponse(instanceId=instance_id)

    def _purge(self, request: pb.PurgeInstancesRequest) -> pb.PurgeInstancesResponse:
        recursive = request.recursive
        if request.HasField("purgeInstanceFilter"):
            asked = request.purgeInstanceFilter
            wanted = InstanceFilter(
                frozenset(asked.runtimeStatus),
                moment_of(asked.createdTimeFrom) if asked.HasField("createdTimeFrom") else None,
                moment_of(asked.createdTimeTo) if asked.HasField("createdTimeTo") else None,
            )
            count = self._hub.purge_all(wanted, recursive=recursive)
        else:
            batch = list(request.instanceBatch.instanceIds) or [request.instanceId]
            count = sum(self._hub.purge(instance_id, recursive=recursive) for instance_id in batch)
        return pb.PurgeInstancesResponse(
            deletedInstanceCount=count, isComplete=wrappers_pb2.BoolValue(value=True)
        )

    def _query_instances(self, request: pb.QueryInstancesRequest) -> pb.QueryInstancesResponse:
        asked = request.query
        wanted = InstanceFilter(
            frozenset(asked.runtimeStatus),
            moment_of(asked.createdTimeFrom) if asked.HasField("createdTimeFrom") else None,
            moment_of(asked.createdTimeTo) if asked.HasField("createdTimeTo") else None,
            asked.instanceIdPrefix.value,
        )
        size = max(asked.maxInstanceCount, 0)
        page, token = self._hub.page_of_instances(wanted, size, asked.continuationToken.value)
        return pb.QueryInstancesResponse(
            orchestrationState=[state_of(i, payloads=asked.fetchInputsAndOutputs) for i in page],
            continuationToken=text_value(token),
        )

    def _list_ids(self, request: pb.ListInstanceIdsRequest) -> pb.ListInstanceIdsResponse:
        page, token = self._hub.page_of_finished(
            frozenset(request.runtimeStatus),
            moment_of(request.completedTimeFrom) if request.HasField("completedTimeFrom") else None,
            moment_of(request.completedTimeTo) if request.HasField("completedTimeTo") else None,
            request.pageSize,
            request.lastInstanceKey.value,
        )
        return pb.ListInstanceIdsResponse(
            instanceIds=[instance.instance_id for instance in page], lastInstanceKey=text_value(token)
        )

    def _signal_entity(self, request: pb.SignalEntityRequest) -> pb.SignalEntityResponse:
        due = moment_of(request.scheduledTime) if request.HasField("scheduledTime") else None
        self._hub.signal(request.instanceId, request.name, _text(request, "input"), due)
        return pb.SignalEntityResponse()

    def _get_entity(self, request: pb.GetEntityRequest) -> pb.GetEntityResponse:
        entity = self._hub.find_entity(request.instanceId)
        if entity is None or not entity.exists:
            return pb.GetEntityResponse(exists=False)
        metadata = entity_metadata(entity, include_state=request.includeState)
        return pb.GetEntityResponse(exists=True, entity=metadata)

    def _query_entities(self, request: pb.QueryEntitiesRequest) -> pb.QueryEntitiesResponse:
        asked = request.query
        wanted = EntityFilter(
            asked.instanceIdStartsWith.value,
            moment_of(asked.lastModifiedFrom) if asked.HasField("lastModifiedFrom") else None,
            moment_of(asked.lastModifiedTo) if asked.HasField("lastModifiedTo") else None,
            asked.includeTransient,
        )
        size = max(asked.pageSize.value, 0)
        page, token = self._hub.page_of_entities(wanted, size, asked.continuationToken.value)
        return pb.QueryEntitiesResponse(
            entities=[entity_metadata(entity, include_state=asked.includeState) for entity in page],
            continuationToken=text_value(token),
        )

    def _clean_entities(self, request: pb.CleanEntityStorageRequest) -> pb.CleanEntityStorageResponse:
        removed, released = self._hub.clean_entities(
            remove_empty=request.removeEmptyEntities, release_orphaned=request.releaseOrphanedLocks
        )
        return pb.CleanEntityStorageResponse(emptyEntitiesRemoved=removed, orphanedLocksReleased=released)

    def _stream_history(
        self, request: pb.StreamInstanceHistoryRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.HistoryChunk]:
        try:
            history = self._hub.history_of(request.instanceId)
        except HubError as refusal:
            context.abort(refusal.code, str(refusal))
        for start in range(0, len(history), _EVENTS_IN_A_CHUNK):
            yield pb.HistoryChunk(events=history[start : start + _EVENTS_IN_A_CHUNK])


def _handler(make: Callable[..., grpc.RpcMethodHandler], name: str, call: Any) -> grpc.RpcMethodHandler:
    method = _SERVICE.methods_by_name[name]
    request = message_factory.GetMessageClass(method.input_type)
    response = message_factory.GetMessageClass(method.output_type)
    return make(call, request_deserializer=request.FromString, response_serializer=response.SerializeToString)


def _text(request: Any, name: str) -> str | None:
    return getattr(request, name).value if request.HasField(name) else None


def _found(instance: Instance | None, *, payloads: bool) -> pb.GetInstanceResponse:
    if instance is None:
        return pb.GetInstanceResponse(exists=False)
    return pb.GetInstanceResponse(exists=True, orchestrationState=state_of(instance, payloads=payloads))
