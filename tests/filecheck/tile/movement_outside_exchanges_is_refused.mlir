// RUN: tile
// TARGET: tests/targets/tiny.toml
// error: nn.reshape has no kernel of its own
// error: in the mesh form, what moves elements stands inside mesh.exchange
#a = #mesh.layout<FP32, grid 2 x 3, [4, 16]>
#b = #mesh.layout<FP32, grid 2 x 3, [64]>
func.func @main(%x: tensor<4x16xf32, #a>) -> tensor<64xf32, #b> {
  %y = nn.reshape %x {shape = [64], loc = "node 'Flatten_1'"} : (tensor<4x16xf32, #a>) -> tensor<64xf32, #b>
  func.return %y : tensor<64xf32, #b>
}
