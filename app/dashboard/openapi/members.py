"""What there is to say about the routes of members. A key reads them; who changes them is a person, signed in."""

from app.dashboard.openapi.described import ERROR, Described, Example
from app.dashboard.openapi.schemas import COUNT, MOMENT, Schema, list_of, object_of
from app.store.tables import Role

EMAIL: Schema = {"type": "string", "format": "email"}
ROLE: Schema = {"enum": [role.value for role in Role]}
INVITED_AS: Schema = {"enum": [role.value for role in Role if role is not Role.OWNER]}
PERSON = {"id": COUNT, "email": EMAIL, "role": ROLE}

MEMBERS = {
    "members_api.list_members": Described(
        "Members",
        {
            200: object_of(
                {"members": list_of(object_of({**PERSON, "joined_at": MOMENT}))},
                invitations=list_of(object_of({**PERSON, "expires_at": MOMENT})),
            )
        },
    ),
    "members_api.invite": Described(
        "Members",
        {201: object_of({"id": COUNT}), 403: ERROR, 409: ERROR, 422: ERROR},
        body=object_of({"email": EMAIL, "role": INVITED_AS}),
        examples=(Example("with a key", {"email": "bob@shop.example", "role": "editor"}, 403),),
    ),
    "members_api.send_again": Described("Members", {204: None, 404: ERROR}),
    "members_api.revoke_invitation": Described("Members", {204: None, 404: ERROR}),
    "members_api.change_role": Described(
        "Members",
        {204: None, 403: ERROR, 404: ERROR, 409: ERROR, 422: ERROR},
        body=object_of({"role": ROLE}),
        examples=(Example("with a key", {"role": "admin"}, 403),),
    ),
    "members_api.remove": Described("Members", {204: None, 404: ERROR, 409: ERROR}),
    "members_api.hand_over": Described("Members", {204: None, 404: ERROR}),
}
