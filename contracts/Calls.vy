# pragma version 0.4.3
"""
@title  Calls: many reads in one call
@notice Our own contract with the two calls of Multicall3 that clients use to read: `tryAggregate` and `aggregate3`. It
        stands at Multicall3's address where a chain has none, so that refusals there are as precise. It holds nothing
        and nobody should give it an allowance: it calls whatever anyone asks.
@dev    No constructor and no immutables: the code is placed, not deployed. Bounds: 32 calls of 2,048 bytes, and as many
        bytes of each answer; longer answers are cut.
"""


struct Call:
    target: address
    callData: Bytes[DATA_MAX]


struct Call3:
    target: address
    allowFailure: bool
    callData: Bytes[DATA_MAX]


struct Result:
    success: bool
    returnData: Bytes[DATA_MAX]


CALLS_MAX: constant(uint256) = 32
DATA_MAX: constant(uint256) = 2048  # [bytes]


@external
def tryAggregate(requireSuccess: bool, calls: DynArray[Call, CALLS_MAX]) -> DynArray[Result, CALLS_MAX]:
    """
    @notice Role: anyone.
    """
    results: DynArray[Result, CALLS_MAX] = []
    for call: Call in calls:
        results.append(self._call(call.target, call.callData, not requireSuccess))
    return results


@external
def aggregate3(calls: DynArray[Call3, CALLS_MAX]) -> DynArray[Result, CALLS_MAX]:
    """
    @notice Role: anyone.
    """
    results: DynArray[Result, CALLS_MAX] = []
    for call: Call3 in calls:
        results.append(self._call(call.target, call.callData, call.allowFailure))
    return results


@internal
def _call(target: address, data: Bytes[DATA_MAX], may_fail: bool) -> Result:
    success: bool = False
    answer: Bytes[DATA_MAX] = b""
    success, answer = raw_call(target, data, max_outsize=DATA_MAX, revert_on_failure=False)
    assert success or may_fail, "calls.failed"
    return Result(success=success, returnData=answer)
