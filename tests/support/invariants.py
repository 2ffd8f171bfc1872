"""What holds on every connection at every moment, checked as frames arrive.

    user_info comes before anything else
    live messages of a chat arrive in the order of seq, each once; one that comes
      late says catch_up
    a message's state never goes backwards, its content never changes
    the answer to one's own send comes before the receipts that cover it

SPDX-License-Identifier: MIT
"""

RANK = {"sent": 0, "delivered": 1, "read": 2}


class Invariants:
    """One connection's view. `see` returns what is wrong with a frame.

    lenient: a fault is being made on purpose, so that receipts may be repeated.
    """

    def __init__(self):
        self.user_id = None
        self.lenient = False
        self.fresh = set()      # front_msg_ids first sent here, unanswered
        self.pending = {}       # front_msg_id -> answers due without request_id
        self.live = {}          # chat -> highest seq seen live
        self.seen = set()       # (chat, seq) seen live
        self.state = {}         # message id -> rank
        self.said = {}          # message id -> what never changes
        self.delivered = set()

    def sending(self, front_msg_id, fresh, has_request_id):
        if fresh:
            self.fresh.add(front_msg_id)
        if not has_request_id:
            self.pending[front_msg_id] = self.pending.get(front_msg_id, 0) + 1

    def see(self, frame):
        kind = frame["type"]
        if self.user_id is None:
            if kind != "user_info":
                return [f"{kind} came before user_info"]
            self.user_id = frame["user"]["id"]
            return []
        if kind == "new_message":
            return self.message(frame)
        if kind == "messages_delivered":
            return self.receipt(frame["message_ids"])
        if kind == "chat_info":
            return [fault for message in frame["chat"]["messages"]
                    for fault in self.known(message)]
        if kind == "error":
            # Nobody knows whether it was stored: a receipt may tell first.
            self.fresh.discard(frame["front_msg_id"])
        if kind == "user_status_changed" and frame["user_id"] == self.user_id:
            return ["a user was told of his own status"]
        return []

    def known(self, message):
        faults = []
        what = (message["chat_id"], message["seq"], message["content"],
                message["user_id"])
        before = self.said.setdefault(message["id"], what)
        if before != what:
            faults.append(f"message {message['id']} changed")
        rank = RANK[message["state"]]
        if rank < self.state.get(message["id"], 0):
            faults.append(f"message {message['id']} (seq {message['seq']}) "
                          f"went back to {message['state']}")
        self.state[message["id"]] = max(rank, self.state.get(
            message["id"], 0))
        mine = message["user_id"] == self.user_id
        if mine != (message["type"] == "outgoing"):
            faults.append(f"message {message['id']} of {message['user_id']} "
                          f"is called {message['type']}")
        if not mine and message.get("front_msg_id") is not None:
            faults.append("another's front_msg_id was shown")
        return faults

    def message(self, frame):
        message = frame["message"]
        faults = self.known(message)
        front = message["front_msg_id"]
        if self.is_answer(frame, front):
            if front in self.fresh:
                self.fresh.discard(front)
                if message["id"] in self.delivered:
                    faults.append(f"the receipt of seq {message['seq']} came "
                                  "before the answer to its send")
            return faults
        return faults + self.in_order(frame)

    def is_answer(self, frame, front):
        if "request_id" in frame:
            return True
        due = self.pending.get(front, 0)
        if due:
            self.pending[front] = due - 1
        return due > 0

    def in_order(self, frame):
        message = frame["message"]
        chat, seq = message["chat_id"], message["seq"]
        faults = []
        if (chat, seq) in self.seen:
            faults.append(f"seq {seq} of chat {chat} came twice")
        elif seq < self.live.get(chat, 0) and not frame.get("catch_up"):
            faults.append(f"seq {seq} of chat {chat} came after "
                          f"{self.live[chat]} without catch_up")
        self.seen.add((chat, seq))
        self.live[chat] = max(seq, self.live.get(chat, 0))
        return faults

    def receipt(self, ids):
        if not ids:
            return ["messages_delivered without an id"]
        faults = []
        for message_id in ids:
            if message_id in self.delivered and not self.lenient:
                faults.append(f"message {message_id} was told delivered twice")
            self.delivered.add(message_id)
            self.state[message_id] = max(1, self.state.get(message_id, 0))
        return faults
