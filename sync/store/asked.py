"""The values that a statement which is made once is given each time that it is asked.

To make a statement costs several times what SQLite needs to answer it, and a pass that finds nothing new asks some hundreds. So
whatever is asked for every record, link or lease stands as a constant beside the function that asks it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

HERE: sa.BindParameter[Any] = sa.bindparam("here")  # a connection's name
KIND: sa.BindParameter[Any] = sa.bindparam("kind")  # the native kind there
THIS: sa.BindParameter[Any] = sa.bindparam("this")  # the row's own key
RECORD: sa.BindParameter[Any] = sa.bindparam("record")  # uid of the canonical record
NOW: sa.BindParameter[Any] = sa.bindparam("now")
MOST: sa.BindParameter[Any] = sa.bindparam("most")  # how many rows at the most
