// RUN: decompose
func.func @main(%x: tensor<4xf32>) -> tensor<4xi32> {
  %a = "builtin.unrealized_conversion_cast"(%x) {loc = "node 'Cast_3' (Cast)"} : (tensor<4xf32>) -> tensor<4xi32>
  func.return %a : tensor<4xi32>
}
// error: pass 'decompose' takes form 'nn'
// error: builtin.unrealized_conversion_cast at node 'Cast_3' (Cast)
