"""Family `session`: channel, device and session signals."""

from fanzha.features import facts as f
from fanzha.features.compiled import compiled, known
from fanzha.features.feature import Feature

_FLAG = "not said"

FEATURES = (
    Feature("kind", "session", "code", "What is asked: number of TransferKind.", "never"),
    Feature("channel", "session", "code", "Where: number of Channel.", "never"),
    Feature("speed", "session", "code", "How fast: number of TransferSpeed.", _FLAG),
    Feature("call_in_progress", "session", "flag", "A call was in progress.", _FLAG),
    Feature("screen_shared", "session", "flag", "The screen was shared.", _FLAG),
    Feature("remote_control", "session", "flag", "The device was remote controlled.", _FLAG),
    Feature("new_device", "session", "flag", "Device bound within 72 hours.", _FLAG),
    Feature("new_e_channel", "session", "flag", "E-channel opened within 72 hours.", _FLAG),
    Feature("limit_just_raised", "session", "flag", "Limit raised within 72 hours.", _FLAG),
)

(KIND, CHANNEL, SPEED, CALL, SCREEN, REMOTE, DEVICE, E_CHANNEL, LIMIT) = range(len(FEATURES))


@compiled()
def compute(facts, out):
    """Write the family's features: facts int64[:], out float32[:]."""
    out[KIND] = known(facts[f.KIND])
    out[CHANNEL] = known(facts[f.CHANNEL])
    out[SPEED] = known(facts[f.SPEED])
    out[CALL] = known(facts[f.CALL_IN_PROGRESS])
    out[SCREEN] = known(facts[f.SCREEN_SHARED])
    out[REMOTE] = known(facts[f.REMOTE_CONTROL])
    out[DEVICE] = known(facts[f.NEW_DEVICE])
    out[E_CHANNEL] = known(facts[f.NEW_E_CHANNEL])
    out[LIMIT] = known(facts[f.LIMIT_JUST_RAISED])
