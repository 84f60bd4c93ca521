"""Sends each number to a task of its choice."""

import galewire


def tasks_of(component, context):
    names = context["task->component"]
    return sorted(int(task) for task, name in names.items() if name == component)


class Choose(galewire.Bolt):
    memory = False

    def open(self):
        self.lanes = tasks_of("lanes", self.context)

    def process(self, number):
        self.emit(number, stream="chosen", task=self.lanes[number % 2])


class Lane(galewire.Bolt):
    memory = False

    def open(self):
        own = tasks_of("lanes", self.context).index(self.context["taskid"])
        self.lane = ["even", "odd"][own]

    def process(self, number):
        self.emit(self.lane, number)
