"""Predicted cycles from the same instruction streams: `time_program`. No tensor data is touched."""

from dojocc.runtime.timing.report import TimingResult, time_program

__all__ = ["TimingResult", "time_program"]
