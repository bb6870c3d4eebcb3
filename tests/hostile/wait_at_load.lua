-- expect: error while the script is loaded
engine.sleep(1)
return {}
