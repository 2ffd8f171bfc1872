"""The store as a restore to an earlier moment leaves it.

SPDX-License-Identifier: MIT
"""


def set_back(stack, chat_id, seq):
    """To the moment after this message of the chat."""
    with stack.postgres.connect(stack.database) as link:
        link.execute("DELETE FROM messages WHERE chat_id = %s AND seq > %s",
                     (chat_id, seq))
        link.execute("UPDATE chats SET last_seq = %s, announced_seq = "
                     "least(announced_seq, %s) WHERE id = %s",
                     (seq, seq, chat_id))
        link.execute(
            "UPDATE members SET delivered_seq = least(delivered_seq, %s), "
            "read_seq = least(read_seq, %s), announced_seq = "
            "least(announced_seq, %s) WHERE chat_id = %s",
            (seq, seq, seq, chat_id))
