-- expect: error
return {
