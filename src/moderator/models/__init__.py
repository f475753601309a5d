"""What travels the street: an image goes in as a path and comes out as a line of a report.

Everything here is frozen. A *content* is one distinct sequence of bytes, known by the store's id; an *image*
is a path that holds a content; two images with one content are identical copies.
"""

from moderator.models.evidence import VERIFIED, Evidence, Kind, Match, Polygon, Region, strongest
from moderator.models.pictures import PANELS, Image, ModelId, Preprocessing, Reference
from moderator.models.report import Decision, Fault, Finding, Group, Report, Unjudged
from moderator.verdict import Verdict

__all__ = [
    "PANELS",
    "VERIFIED",
    "Decision",
    "Evidence",
    "Fault",
    "Finding",
    "Group",
    "Image",
    "Kind",
    "Match",
    "ModelId",
    "Polygon",
    "Preprocessing",
    "Reference",
    "Region",
    "Report",
    "Unjudged",
    "Verdict",
    "strongest",
]
