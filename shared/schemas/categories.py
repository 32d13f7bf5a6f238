"""Categories of both stores, and the rules for applying them (domain.md 3)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, Self
from uuid import UUID

from pydantic import Field

from shared.domain.categories.category import BillingType, IssueKind, Special
from shared.domain.categories.suggestions import Relation
from shared.errors import FieldError, ValidationFailed
from shared.schemas.base import Changes, Input, Line, Resource, absent, columns_of
from shared.schemas.paging import PageQuery

type Store = Literal["outlook", "local"]
Color = Annotated[
    str,
    Field(
        pattern=r"^(none|preset([0-9]|1[0-9]|2[0-4]))$",
        description="One of Outlook's preset colours, or none.",
        examples=["preset4"],
    ),
]
#: The longest name that Outlook accepts.
CategoryName = Annotated[Line, Field(max_length=255, examples=["Acme - billable"])]
_WHOSE = "Whose; the caller's own if not given."
#: The bytes of a name in a cursor. Longer names with an equal beginning are sorted by id.
_KEPT = 120


class IssueResource(Resource):
    """What is wrong with a category, in words. none: there is no category (domain.md 3.4)."""

    kind: IssueKind
    reason: str


#: The prefix of this list's cursors, so that no other list's cursor is accepted.
_OF_CATEGORIES = b"categories"


class CategoryPlace(NamedTuple):
    """The end of a page of categories: comparison key of the name, and id. Places sort like the list."""

    name: bytes
    id: UUID

    @classmethod
    def at(cls, name_key: str, category_id: UUID) -> Self:
        """The place of a category."""
        return cls(name_key.encode()[:_KEPT], category_id)

    def cursor(self) -> str:
        """The opaque text for the caller."""
        return urlsafe_b64encode(_OF_CATEGORIES + self.id.bytes + self.name).decode("ascii")

    @classmethod
    def of(cls, cursor: str | None) -> Self | None:
        """The place in our cursor. Raises ValidationFailed naming ``cursor`` for any other text."""
        if cursor is None:
            return None
        try:
            packed = urlsafe_b64decode(cursor.encode("ascii"))
            if not packed.startswith(_OF_CATEGORIES):
                raise ValueError("not of this kind")
            packed = packed.removeprefix(_OF_CATEGORIES)
            return cls(packed[16:], UUID(bytes=packed[:16]))
        except ValueError:
            error = FieldError("cursor", "is not a cursor of this list", "cursor_invalid")
            raise ValidationFailed([error]) from None


class CategoryListQuery(PageQuery):
    """Parameters of the list."""

    user_id: UUID | None = Field(default=None, description=_WHOSE)
    store: Store | None = Field(default=None, description="Only those of Outlook, or only those kept here.")


class CategoryQuery(Input):
    """Whose category is meant: Outlook's are found in their mailbox."""

    user_id: UUID | None = Field(default=None, description=_WHOSE)


class CategoryCreate(Input):
    """A category to add. Its name is ``<customer> - <billing type>`` or Online."""

    user_id: UUID | None = Field(default=None, description=_WHOSE)
    store: Store = "outlook"
    name: CategoryName
    color: Color = "none"


class CategoryUpdate(Changes):
    """The changes of a category. Outlook never renames one: add another and delete this one."""

    name: CategoryName = Field(default_factory=absent)
    color: Color = Field(default_factory=absent)


class MissingCategoriesCreate(Input):
    """Adds to Outlook the archive's categories that its list lacks."""

    user_id: UUID | None = Field(default=None, description=_WHOSE)
    color: Color = "none"


class CategoryResource(Resource):
    """A category and the meaning of its name. ``issue`` says why it is not valid (domain.md 3.1, 3.2)."""

    id: UUID
    user_id: UUID
    store: Store
    name: str
    color: str
    customer: str | None
    billing_type: BillingType | None
    special: Special | None
    issue: IssueResource | None
    version: int


class MissingCategoriesResource(Resource):
    """What was added, and how many valid categories of the archive Outlook had already."""

    created: list[CategoryResource]
    present: int
    remaining: int = Field(description="How many are still missing: a request adds at most 50.")


class CategoryRuleListQuery(PageQuery):
    """Parameters of the list."""

    user_id: UUID | None = Field(default=None, description=_WHOSE)


class CategoryRuleCreate(Input):
    """Events with this trait get this category: suggested first, or applied unasked with ``auto_apply``."""

    user_id: UUID | None = Field(default=None, description=_WHOSE)
    relation: Annotated[Relation, Field(strict=False)]
    match: Line = Field(
        description="The subject, location, or mail domain; of a series its id, as suggestions name it.",
        examples=["Weekly with Acme"],
    )
    category: CategoryName
    auto_apply: bool = False


class CategoryRuleUpdate(Changes):
    """The changes of a rule. For another match, add another rule."""

    category: CategoryName = Field(default_factory=absent)
    auto_apply: bool = Field(default_factory=absent)


class CategoryRuleResource(Resource):
    """A rule of a person."""

    id: UUID
    user_id: UUID
    relation: Relation
    match: str
    category: str
    auto_apply: bool
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: object) -> Self:
        """The rule, from its row."""
        return cls(**columns_of(row, cls))
