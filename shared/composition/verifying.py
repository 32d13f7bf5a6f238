"""Comparing source, record and archive calendar."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.services.verifying.restoring import CopyRestoring
    from shared.services.verifying.scheduling import VerificationSchedule
    from shared.services.verifying.service import VerificationService


class VerifyingRoom:
    """Comparing source, record and archive calendar. Each part is built when first asked for."""

    def __init__(self, foundations: "Foundations") -> None:
        self._base = foundations

    @cached_property
    def verifications(self) -> "VerificationService":
        """Comparing source, record and archive calendar."""
        from shared.services.verifying.service import VerificationService

        return VerificationService(self._base.archiving_ports)

    @cached_property
    def schedule(self) -> "VerificationSchedule":
        """The weekly verification."""
        from shared.services.verifying.scheduling import VerificationSchedule

        return VerificationSchedule(self._base.archiving_ports)

    @cached_property
    def restoring(self) -> "CopyRestoring":
        """Copies put back, and edits taken over, on their owner's word."""
        from shared.services.verifying.restoring import CopyRestoring

        return CopyRestoring(self._base.archiving_ports)


def build(foundations: "Foundations") -> VerifyingRoom:
    """The room; nothing in it is built yet."""
    return VerifyingRoom(foundations)
