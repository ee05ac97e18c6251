class ProbeRunner:
    def __init__(self, on_result, runtime, run): pass
    def add(self, pod, container): pass
    def remove(self, uid, container=None): pass
    def on_runtime(self, event): return False
